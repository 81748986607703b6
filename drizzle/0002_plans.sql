-- The plan that everybody has who has no other.
INSERT INTO plans (code, name, conversations_per_day, messages_per_day, monthly_credits, created_at)
VALUES ('free', 'Free', 50, 1000, 0, now())
ON CONFLICT (code) DO NOTHING;
