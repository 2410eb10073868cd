-- Version 6: which of two answers a person preferred.

CREATE TABLE reviews (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    suite TEXT NOT NULL,
    language TEXT, -- BCP 47; NULL where the prompt has none
    prompt TEXT NOT NULL,
    left_row TEXT NOT NULL,
    right_row TEXT NOT NULL,
    choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'tie', 'skip')),
    reviewed_at TEXT NOT NULL
) STRICT;

-- A pair is looked at once, whichever side was whose.
CREATE UNIQUE INDEX reviews_by_pair ON reviews (
    run_id, suite, ifnull(language, ''), prompt, min(left_row, right_row), max(left_row, right_row)
);
