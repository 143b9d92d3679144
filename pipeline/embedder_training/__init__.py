"""Training an embedder: labelled crops in, the weights of a backbone with a projection out."""
