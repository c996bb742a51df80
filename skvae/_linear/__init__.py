"""PCA and factor analysis as a linear variational autoencoder, without a network."""
