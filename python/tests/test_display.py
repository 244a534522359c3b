"""What notebooks show, the pictures, and the tables of the command on a terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import matplotlib as mpl
import pytest
from support import Database, points

import stratalog

mpl.use("Agg")

PROGRAM = str(Path(sys.executable).with_name("stratalog"))


@pytest.fixture
def history(platform: stratalog.Platform) -> stratalog.Run:
    run = platform.runs.create("<script>alert(1)</script>", "a & b")
    with run.transact("first"):
        run.iamc.add(points(("a", 2020, 1.0), ("a", 2030, 2.0), ("b", 2020, 5.0)))
    with run.transact("<b>second</b>"):
        run.iamc.add(points(("a", 2020, 1.5), ("c", 2020, 3.0)))
        run.iamc.remove(points(("b", 2020, 0.0)))
    run.revert_to("first")
    return run


def test_html_is_escaped_and_says_what_there_is(
    platform: stratalog.Platform, history: stratalog.Run
) -> None:
    html = history._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;alert(1)" in html and "a &amp; b" in html
    assert "&lt;b&gt;second&lt;/b&gt;" in html and "last transaction" in html
    checkpoint = history.checkpoints["first"]._repr_html_()
    assert "Checkpoint first" in checkpoint and "UTC" in checkpoint
    view = history.as_of("first")
    assert str(view.transaction_id) in view._repr_html_()
    diff = history.diff("first", "<b>second</b>")._repr_html_()
    for part in ("insert", "update", "delete", ">1.5<", ">5.0<", "datapoints"):
        assert part in diff, part
    assert "no difference" in history.diff("first")._repr_html_()
    assert "nothing was written yet" in platform.runs.create("m", "s")._repr_html_()


def test_a_long_diff_is_cut_and_says_so(run: stratalog.Run) -> None:
    with run.transact("many"):
        run.iamc.add(points(*(("a", year, 1.0) for year in range(2000, 2050))))
    html = run.diff(0)._repr_html_()
    assert html.count("<tr>") == 1 + 1 + 1 + 20 and "30 more points" in html


def test_the_timeline_has_what_the_log_has(history: stratalog.Run) -> None:
    ax = history.plot_timeline()
    log = history.log().iloc[::-1]
    heights = [bar.get_height() for bar in ax.patches if hasattr(bar, "get_height")]
    expected = [*log["inserted"], *log["updated"], *(-log["deleted"])]
    assert heights == expected
    texts = [text.get_text() for text in ax.texts]
    assert "first" in texts and "<b>second</b>" in texts
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"inserted", "updated", "deleted", "revert", "checkpoint"} == set(legend)
    arrows = [text for text in ax.texts if text.get_text() == ""]
    assert len(arrows) == 1
    # From the revert back to the transaction of "first".
    place = list(log["id"])
    assert arrows[0].xy[0] == place.index(history.checkpoints["first"].transaction_id)
    few = history.plot_timeline(limit=1)
    assert len([bar for bar in few.patches if hasattr(bar, "get_height")]) == 3
    mpl.pyplot.close("all")


def test_a_diff_shows_the_series_before_and_after(history: stratalog.Run) -> None:
    ax = history.diff("first", "<b>second</b>").plot()
    lines = {
        (line.get_color(), line.get_linestyle()): dict(
            zip(line.get_xdata(), line.get_ydata(), strict=True)
        )
        for line in ax.lines
        if len(line.get_xdata())
    }
    of_a = next(line.get_color() for line in ax.lines if line.get_label() == "World | a")
    assert lines[of_a, "--"] == {2020: 1.0, 2030: 2.0}
    assert lines[of_a, "-"] == {2020: 1.5, 2030: 2.0}
    one = history.diff("first", "<b>second</b>").plot(max_series=1)
    assert one.get_title(loc="left") == "1 of 3 series that differ"
    own = mpl.pyplot.figure().subplots()
    assert history.diff("first", "<b>second</b>").plot(own) is own
    with pytest.raises(ValueError, match="nothing to draw"):
        history.diff("first").plot()
    mpl.pyplot.close("all")


def test_nothing_to_draw_yet(run: stratalog.Run) -> None:
    with pytest.raises(ValueError, match="nothing was written yet"):
        run.plot_timeline()


def test_without_matplotlib_it_says_what_to_install(
    history: stratalog.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"stratalog\[plot\]"):
        history.plot_timeline()
    with pytest.raises(ImportError, match=r"stratalog\[plot\]"):
        history.diff("first", "<b>second</b>").plot()


def test_the_package_does_not_load_matplotlib() -> None:
    code = "import sys, stratalog; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def on_terminal(
    *arguments: str, width: int, height: int = 60, keys: bytes = b"", **environment: str
) -> str:
    """What a terminal of that size gets to see."""
    pid, terminal = pty.fork()
    if pid == 0:
        for name in ("NO_COLOR", "CLICOLOR_FORCE", "PAGER", "LESS"):
            os.environ.pop(name, None)
        os.environ.update(TERM="xterm", **environment)
        # The size is set before anything looks at it.
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.execv(PROGRAM, [PROGRAM, *arguments])
    if keys:
        os.write(terminal, keys)
    output = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux says so when the program has ended
            break
        if not read:
            break
        output += read
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, output
    os.close(terminal)
    return output.decode().replace("\r\n", "\n")


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(database: Database, history: stratalog.Run, width: int) -> None:
    for command in (
        ["log"],
        ["diff", str(history.id), "first", "<b>second</b>"],
        ["history", str(history.id)],
        ["checkpoints", str(history.id)],
    ):
        shown = on_terminal("--db", database.url, *command, width=width)
        lines = COLOUR.sub("", shown).split("\n")
        assert len(lines) > 3 and max(map(len, lines)) <= width, "\n".join(lines)
        assert "\x1b[" in shown
        for numbers in re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "\n".join(lines)):
            assert len(numbers) == 19


def test_colours_are_for_terminals_and_can_be_chosen(
    database: Database, history: stratalog.Run
) -> None:
    diff = ["--db", database.url, "diff", str(history.id), "first", "<b>second</b>"]
    assert "\x1b[" not in on_terminal(*diff, width=100, NO_COLOR="1")
    assert "\x1b[" not in on_terminal(*diff, "--color", "never", width=100)

    def piped(*arguments: str, **environment: str) -> str:
        return subprocess.run(
            [PROGRAM, *diff, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "NO_COLOR": "", **environment},
        ).stdout

    assert "\x1b[" not in piped()
    for coloured in (piped("--color", "always"), piped(CLICOLOR_FORCE="1")):
        assert "\x1b[" in coloured
        plain = COLOUR.sub("", coloured).splitlines()
        assert [line.rstrip() for line in plain] == piped().splitlines()


def test_what_is_longer_than_the_screen_is_paged(
    database: Database, run: stratalog.Run, tmp_path: Path
) -> None:
    lock = run.lock("many")
    for year in range(30):
        run.iamc.add(points(("a", year, 1.0)))
    lock.commit()
    seen = tmp_path / "seen"
    pager = f"cat > {seen}"
    log = ["--db", database.url, "log", str(run.id)]
    assert on_terminal(*log, width=100, height=20, PAGER=pager) == ""
    whole = seen.read_text()
    assert COLOUR.sub("", whole).count("\n") > 30 and "\x1b[" in whole
    seen.unlink()
    for shown in (
        on_terminal(*log, width=100, height=60, PAGER=pager),
        on_terminal(*log, "--no-pager", width=100, height=20, PAGER=pager),
        on_terminal(*log, width=100, height=20, PAGER=""),
        on_terminal(*log, width=100, height=20, PAGER="there-is-no-such-pager 2>/dev/null"),
    ):
        assert "many" in shown and not seen.exists()
    # Who quits the pager early has not made an error.
    on_terminal(*log, width=100, height=20, PAGER="head -n 1 > /dev/null")
