-- name: beat()^
-- A server can hear pilots now. Says how long none could, so that leases can be given back the time that was lost.
-- `made` reads `old`, which fixes their order: a row that this statement has changed already could not be locked and read any more.
WITH old AS MATERIALIZED (SELECT heard_at FROM hearing FOR UPDATE),
made AS (INSERT INTO hearing (heard_at) SELECT now() FROM (SELECT count(*) FROM old) o ON CONFLICT (is_only) DO UPDATE SET heard_at = now() RETURNING heard_at)
SELECT coalesce(extract(epoch FROM now() - (SELECT heard_at FROM old)), 0)::double precision AS silence_seconds FROM made;

-- name: is_hearing(gap_seconds)$
-- False while no server has heard pilots for longer than the gap: then no lease may be ended.
SELECT coalesce((SELECT heard_at > now() - make_interval(secs => :gap_seconds) FROM hearing), false);
