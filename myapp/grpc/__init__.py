"""The gRPC server: grpclib speaks the protocol, and every call runs through our own layers."""

from grpclib._typing import IServable

# Our own services, in the order in which they are listed; health and reflection come by themselves.
SERVICES: tuple[IServable, ...] = ()
