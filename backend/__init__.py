"""The ML backend that Label Studio talks to."""
