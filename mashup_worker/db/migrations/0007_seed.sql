-- Creates a mashup for a seed track. An operator whose mashups differ replaces this function.
CREATE OR REPLACE FUNCTION mashup_worker.seed_mashup(owner UUID, song_title TEXT) RETURNS UUID
LANGUAGE sql SET search_path = '' AS $$
  INSERT INTO public.mashups (user_id, title) VALUES (owner, song_title) RETURNING id;
$$;
REVOKE ALL ON FUNCTION mashup_worker.seed_mashup FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mashup_worker.seed_mashup TO service_role;
