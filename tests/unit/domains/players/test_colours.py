import pytest

from telecine.domains.players.colours import is_colour


@pytest.mark.parametrize(
    "text",
    [
        "rgba(255, 255, 255, 1)",
        "rgba(88, 131, 255, .95)",
        "rgba(0,0,0,0)",
        "rgb(1, 2, 3)",
        "RGB(10% 20% 30% / 50%)",
        "rgb(none 0 0)",
        "hsl(120deg, 100%, 50%)",
        "hsla(.5turn 100% 50% / .3)",
        "hwb(194 0% 0%)",
        "lab(29.2345% 39.3825 20.0664)",
        "oklch(40.1% 0.123 21.57)",
        "#0000ff",
        "#FFF",
        "#12345678",
        "#1234",
        "red",
        " RebeccaPurple ",
        "transparent",
    ],
)
def test_colours_of_css(text: str) -> None:
    assert is_colour(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reddish",
        "#12",
        "#12345",
        "#gggggg",
        "rgba(255, 255, 255, 1",
        "rgba(255, 255)",
        "rgba(1, 2, 3, 4, 5)",
        "rgb(1 2 3",
        "rgb(1, 2, 3);background:url(//evil.example)",
        "red;} body{display:none",
        "url(javascript:alert(1))",
        "var(--x)",
        "env(x)",
        "attr(title)",
        "expression(alert(1))",
        "color-mix(in srgb, red, blue)",
        "currentcolor",
        "inherit",
        "rgb(1, 2, 3) /* */",
        "red\n",
        "re\\64",
        "rgb(\u0661, \u0662, \u0663)",
        "rgb(" + "1" * 60 + ", 2, 3)",
        " " * 100 + "red",
    ],
)
def test_nothing_else_is_one(text: str) -> None:
    assert not is_colour(text)
