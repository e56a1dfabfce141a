from telecine.domains.words.commands import Command


def test_a_command_is_words_as_in_a_shell() -> None:
    command = Command.of("/opt/hear --name 'two words' {language}", 60)
    assert command is not None
    assert command.words == ("/opt/hear", "--name", "two words", "{language}")
    assert Command.of("", 60) is None
