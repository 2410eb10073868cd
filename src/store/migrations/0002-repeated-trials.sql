-- Version 2: trials that were run again.

-- What was wrong with the attempt that was not kept, by the state of the GPU: thermal, shared. NULL if there was none.
ALTER TABLE trials ADD COLUMN repeated TEXT;
