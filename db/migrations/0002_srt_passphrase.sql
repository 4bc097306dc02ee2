-- Whether a token's SRT is encrypted. The passphrase is made of the token's id, and stored nowhere.
ALTER TABLE token ADD COLUMN srt_passphrase INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 2;
