"""Enumerations that are stored, sent or configured: their values are part of the contract."""

from enum import StrEnum


class Environment(StrEnum):
    """Where the program runs: production refuses what is unsafe."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Role(StrEnum):
    """A part of the program that a process can run; `all` is no role but their sum."""

    API = "api"
    WORKER = "worker"
    SCHEDULER = "scheduler"
    GRPC = "grpc"


class AuthProvider(StrEnum):
    """Who says who a user is."""

    FIREBASE = "firebase"
    LOCAL = "local"


class UserStatus(StrEnum):
    """Whether an account may be used."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class UserRole(StrEnum):
    """What an account may do beyond its own affairs."""

    USER = "user"
    ADMIN = "admin"


class PushService(StrEnum):
    """By which way devices are pushed to."""

    FCM = "fcm"
    LOG = "log"


class PushOutcome(StrEnum):
    """What became of a push to one device. All but the last are for good."""

    SENT = "sent"
    UNREGISTERED = "unregistered"  # the token is dead
    REFUSED = "refused"  # the service will never take this message for this token
    FAILED = "failed"  # trying again may help
