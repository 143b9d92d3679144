"""Renders camera-trap-like photographs for the demo: animals in habitats, by day and in infrared."""
