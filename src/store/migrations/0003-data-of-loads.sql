-- Version 3: arrivals of several tokens. What a load holds is data since, too: the types of its weights, with the bytes of each.

-- Array, tokens of each arrival, null where nobody counted them; NULL where each arrival was one token.
ALTER TABLE trials ADD COLUMN arrival_tokens TEXT CHECK (json_valid(arrival_tokens));
