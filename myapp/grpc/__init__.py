"""The gRPC server: grpclib speaks the protocol, and every call runs through our own layers."""
