"""The parts of `./dev bench`: a module for each, beside what they share (pinned, stacks, report)."""
