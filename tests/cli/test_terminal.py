"""What commands show on a terminal, where they show more than plain lines."""

import re
from pathlib import Path

from tests.cli.conftest import MyApp, OnTerminal


def test_a_list_is_a_table_whose_ids_are_whole(myapp: MyApp, on_terminal: OnTerminal) -> None:
    name = "a service whose name is far longer than what is left of the line on a terminal"
    myapp("apikey", "create", name, "--scope", "accounts:read")
    [plain] = myapp("apikey", "list").stdout.splitlines()
    shown = on_terminal("apikey", "list")
    assert plain.split("\t")[0] in shown
    assert "\t" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_doctor_sums_up(on_terminal: OnTerminal) -> None:
    shown = on_terminal("doctor")
    assert re.search(r"\d+ ok, \d+ warning", shown), shown
    assert "→" in shown


def test_a_backup_and_a_restore_show_bars(
    on_terminal: OnTerminal, folder: Path, tmp_path: Path
) -> None:
    on_terminal("admin", "grant", "root@example.com")
    shown = on_terminal("backup", "saved")
    assert "database" in shown
    assert "━" in shown
    folder.rename(tmp_path / "former")
    assert "as it was at" in on_terminal("restore", "saved")
    assert "root@example.com" in on_terminal("admin", "list")
