"""Checks a concurrent history of one registry, in two ways that share nothing.

    history = [Operation(...), ...]
    why = violation_by_search(history) or violation_by_revision(history)

The search (Wing and Gong, "Testing and verifying concurrent objects", 1993; with Lowe's cache of what was tried) trusts
no revision: for each key it looks for an order of the operations that real time allows and that a register explains.
The other check takes the revisions at their word: they are the order, and everything must agree with it.
"""
import collections
import dataclasses
import math

GET, PUT, DELETE, SWAP = "get", "put", "delete", "swap"


@dataclasses.dataclass
class Operation:
    """On one key. Values written are unique, so that a value stands for the write it comes from."""
    kind: str
    key: bytes
    begin: float
    value: bytes = None     # what PUT and SWAP write
    expected: bytes = None  # what SWAP wants to find; it compares the mod_revision that came with it
    # The answer. Without one (end is infinite) the operation has happened at any time since, or never.
    end: float = math.inf
    seen: bytes = None      # what GET and a SWAP that failed found, what DELETE deleted; None: nothing
    succeeded: bool = False
    revision: int = 0       # of the answer's header
    seen_revision: int = 0  # the mod_revision of what was seen

    @property
    def answered(self):
        return self.end < math.inf

    @property
    def writes(self):
        return self.kind == PUT or (self.kind == SWAP and self.succeeded) or \
            (self.kind == DELETE and self.seen is not None)


def step(state, operation):
    """Whether a register that holds `state` explains the answer, and what it holds then."""
    if not operation.answered:
        if operation.kind == SWAP:
            return True, operation.value if state == operation.expected else state
        return True, operation.value if operation.kind == PUT else None
    if operation.kind == PUT:
        return True, operation.value
    if operation.kind == SWAP and operation.succeeded:
        return state == operation.expected, operation.value
    if operation.kind == SWAP:
        return state == operation.seen != operation.expected, state
    return state == operation.seen, None if operation.kind == DELETE else state


def worth_searching(operations):
    """Without what nobody saw: reads without an answer, and writes of that kind whose value never appeared."""
    seen = {operation.seen for operation in operations} | \
           {operation.expected for operation in operations if operation.succeeded}
    return [one for one in operations if one.answered or one.kind == DELETE or (one.kind != GET and one.value in seen)]


def explained(operations):
    """Whether some order explains the operations of one key."""
    operations = worth_searching(operations)
    events = sorted([(one.begin, 0, index) for index, one in enumerate(operations)] +
                    [(one.end, 1, index) for index, one in enumerate(operations)])
    # A doubly linked list of begins and ends; place i is events[i], the last one is the sentinel.
    count = len(events)
    following = list(range(1, count + 1)) + [0]
    preceding = [count] + list(range(count))
    following[count] = 0 if count else count
    end_of = {index: place for place, (_, is_end, index) in enumerate(events) if is_end}

    def unlink(place):
        following[preceding[place]] = following[place]
        preceding[following[place]] = preceding[place]

    def relink(place):
        following[preceding[place]] = place
        preceding[following[place]] = place

    state, done, tried, taken = None, 0, set(), []
    place = following[count]
    while following[count] != count:
        _, is_end, index = events[place] if place != count else (0, 1, -1)
        if not is_end:
            possible, after = step(state, operations[index])
            if possible and (done | 1 << index, after) not in tried:
                tried.add((done | 1 << index, after))
                taken.append((place, state))
                state, done = after, done | 1 << index
                unlink(place)
                unlink(end_of[index])
                place = following[count]
            else:
                place = following[place]
            continue
        # Something has ended that could not be placed: the last choice was wrong.
        if not taken:
            return False
        place, state = taken.pop()
        index = events[place][2]
        done &= ~(1 << index)
        relink(end_of[index])
        relink(place)
        place = following[place]
    return True


def violation_by_search(history):
    keys = collections.defaultdict(list)
    for operation in history:
        keys[operation.key].append(operation)
    for key, operations in keys.items():
        if not explained(operations):
            return f"no order of the {len(operations)} operations on {key} explains their answers"
    return None


def violation_by_revision(history):
    """The first disagreement with the order that the revisions claim, or None."""
    writes = {}  # (key, revision): value, None for a deletion
    unanswered = {one.value for one in history if not one.answered and one.value}
    unanswered_deletion = {one.key for one in history if not one.answered and one.kind == DELETE}

    def enter(key, revision, value, why):
        if writes.setdefault((key, revision), value) != value:
            return f"{key} at revision {revision} is {value} for {why}, and was {writes[key, revision]}"
        return None

    for one in history:
        if one.answered and one.writes:
            wrong = enter(one.key, one.revision, None if one.kind == DELETE else one.value, one)
            if wrong:
                return wrong
    given = collections.Counter(one.revision for one in history if one.answered and one.writes)
    for revision, count in given.items():
        if count > 1:
            return f"revision {revision} was given to {count} writes"
    # What was seen and not acknowledged is a write whose answer was lost, or it is made up.
    for one in history:
        if one.answered and one.seen is not None and (one.key, one.seen_revision) not in writes:
            if one.seen not in unanswered:
                return f"{one} saw what nobody wrote at {one.seen_revision}"
            writes[one.key, one.seen_revision] = one.seen
    versions = collections.defaultdict(list)
    for (key, revision), value in sorted(writes.items(), key=lambda item: item[0][1]):
        versions[key].append((revision, value))

    def at(key, revision):
        value = (0, None)
        for version in versions[key]:
            if version[0] > revision:
                break
            value = version
        return value

    for one in history:
        if not one.answered or one.kind == PUT:
            continue
        before = at(one.key, one.revision - 1 if one.writes else one.revision)
        if one.kind == SWAP and one.succeeded:
            if before[1] != one.expected:
                return f"{one} succeeded over {before}"
        elif one.seen is None:
            if before[1] is not None and one.key not in unanswered_deletion:
                return f"{one} did not see {before}"
        elif before != (one.seen_revision, one.seen):
            return f"{one} did not see {before}"

    # Real time: what began after another had ended has no smaller revision, and a greater one if it wrote.
    ends = sorted((one for one in history if one.answered), key=lambda one: one.end)
    begins = sorted((one for one in history if one.answered), key=lambda one: one.begin)
    highest, place = 0, 0
    for one in begins:
        while place < len(ends) and ends[place].end < one.begin:
            highest = max(highest, ends[place].revision)
            place += 1
        if one.revision < highest or (one.writes and one.revision == highest):
            return f"{one} has revision {one.revision}, and {highest} was answered before it began"
    return None
