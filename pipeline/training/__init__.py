"""Learning an embedding: labelled crops in, the weights of a backbone with a projection out."""
