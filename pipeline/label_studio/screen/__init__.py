"""The labelling screens: what a project's label config and the data of its tasks look like. Pure."""
