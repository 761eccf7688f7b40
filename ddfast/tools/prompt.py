"""Questions to the user at the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def query_user(
    question: str, default: str | None = "yes", answers: Sequence[str] = ("yes", "no", "abort")
) -> str:
    """Ask until the user enters one of the answers, or the beginning of one.

    Parameters:
        question: printed before the possible answers.
        default: answer for empty input; ``None`` to ask again.
        answers: the possible answers.

    Returns:
        The full answer.

    Raises:
        ValueError: the default is not one of the answers.
        EOFError: standard input is closed.
    """
    if default is not None and default not in answers:
        raise ValueError(f"the default {default!r} is not one of the answers {', '.join(answers)}")
    meaning = {answer[:size]: answer for answer in answers for size in range(1, len(answer) + 1)}
    if default is not None:
        meaning[""] = default
    letters = "/".join(answer[0].upper() if answer == default else answer[0] for answer in answers)
    while True:
        print(f"{question} [{letters}/?]", end=" ", flush=True)
        answer = meaning.get(input().lower())
        if answer is not None:
            return answer
        print("You can choose", ", ".join(answers), flush=True)
