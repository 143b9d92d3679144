"""What comes together on one screen: crops of a sequence, look-alikes, and what resembles an example. Pure."""
