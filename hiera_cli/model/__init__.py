"""The network: configuration, token order, Hiera and its masked autoencoder."""
