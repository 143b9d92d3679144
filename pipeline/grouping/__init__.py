"""What comes together on one screen: a sequence, look-alikes, what resembles an example. Pure."""
