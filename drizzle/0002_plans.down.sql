-- People who have the plan keep it.
DELETE FROM plans WHERE code = 'free' AND NOT EXISTS (SELECT FROM users WHERE plan_code = 'free');
