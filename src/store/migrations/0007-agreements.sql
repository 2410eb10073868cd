-- Version 7: how far the predictions of a variant are from those of the first variant of its run.

-- Array, one element an answer of the first variant, with the divergence of each of its places; empty of any other row, and NULL
-- of rows stored before.
ALTER TABLE rows ADD COLUMN agreements TEXT CHECK (json_valid(agreements));
