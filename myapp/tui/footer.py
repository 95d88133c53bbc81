"""The line of keys at the bottom."""

from textual.screen import Screen
from textual.widgets import Footer


class KeyFooter(Footer):
    """Textual's, made anew only when other keys are to be shown.

    Textual's own is made anew whenever one might have come or gone, such as after each move of the
    focus and each dialog, often several times; and the whole screen is laid out again with it.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self._shown: list[tuple[str, str, bool]] = []

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Called with the screen that is in front."""
        shown = [
            (self.app.get_key_display(binding), binding.description, enabled)
            for _, binding, enabled, _ in screen.active_bindings.values()
            if binding.show
        ]
        if shown != self._shown and screen is self.screen and screen.app.app_focus:
            self._shown = shown
            super().bindings_changed(screen)
