"""`myapp token`: sign-in without Firebase, in development."""

from typing import Any

import click

HOUR = 3600


@click.command()
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option(
    "--expires-in",
    type=click.IntRange(1, 30 * 24 * HOUR),
    default=HOUR,
    show_default=True,
    metavar="SECONDS",
    help="How long each token holds.",
)
@click.pass_obj
def token(flags: dict[str, Any], emails: tuple[str, ...], expires_in: int) -> None:
    """Print an identity token for each EMAIL (development only).

    The local identity provider signs them with a secret in DATA_DIR. Neither the database nor
    Redis is asked.
    """
    from myapp.cli.start import load
    from myapp.data_folder import refuse_half_restored
    from myapp.enums import AuthProvider
    from myapp.errors import ConfigError, Invalid
    from myapp.identity.local import LocalProvider
    from myapp.secrets import read_or_make

    settings = load(flags)
    if settings.auth_provider is not AuthProvider.LOCAL:
        raise ConfigError("AUTH_PROVIDER is firebase: its clients issue the tokens")
    refuse_half_restored(settings.data_dir)  # its key is another one, and would void the tokens
    provider = LocalProvider(read_or_make(settings.identity_key_file))
    try:
        tokens = [provider.issue(email, expires_in=expires_in) for email in emails]
    except Invalid as error:
        raise click.UsageError(str(error)) from None
    click.echo("\n".join(tokens))
