"""Reports as text, for the command line and the demo. Everything below returns data and prints nothing."""
