-- The backend's tables, where they are missing, with the columns that worker and tests need. A
-- table created here gets a comment, by which later migrations distinguish it from the backend's.
CREATE TEMPORARY TABLE existing_tables ON COMMIT DROP AS
  SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = 'public'::regnamespace;

CREATE TABLE IF NOT EXISTS public.profiles (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.subscriptions (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL REFERENCES public.profiles (id) ON DELETE CASCADE,
  tier TEXT NOT NULL DEFAULT 'free',
  status TEXT NOT NULL DEFAULT 'active',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.mashups (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID REFERENCES public.profiles (id),
  title TEXT,
  is_public BOOLEAN NOT NULL DEFAULT false,
  has_stems BOOLEAN NOT NULL DEFAULT false,
  stems_count INTEGER NOT NULL DEFAULT 0,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Registry of all stems ever published. Only takedowns delete rows.
CREATE TABLE IF NOT EXISTS public.stems (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID REFERENCES public.profiles (id),
  mashup_id UUID REFERENCES public.mashups (id) ON DELETE SET NULL,
  job_id UUID,
  kind TEXT NOT NULL,
  storage_key TEXT NOT NULL,
  sha256 TEXT,
  duration_s DOUBLE PRECISION,
  loudness_lufs DOUBLE PRECISION,
  tempo_bpm DOUBLE PRECISION,
  musical_key TEXT,
  is_public BOOLEAN NOT NULL DEFAULT false,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (job_id, kind)
);

-- Current stems of each mashup.
CREATE TABLE IF NOT EXISTS public.mashup_stems (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  mashup_id UUID NOT NULL REFERENCES public.mashups (id) ON DELETE CASCADE,
  stem_id UUID REFERENCES public.stems (id),
  kind TEXT NOT NULL,
  storage_key TEXT NOT NULL,
  peaks_key TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (mashup_id, kind)
);

CREATE TABLE IF NOT EXISTS public.stem_mashup_links (
  stem_id UUID NOT NULL REFERENCES public.stems (id),
  mashup_id UUID NOT NULL REFERENCES public.mashups (id) ON DELETE CASCADE,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (stem_id, mashup_id)
);

CREATE TABLE IF NOT EXISTS public.stem_usage_log (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  stem_id UUID NOT NULL REFERENCES public.stems (id),
  mashup_id UUID REFERENCES public.mashups (id) ON DELETE SET NULL,
  user_id UUID,
  job_id UUID,
  used_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  UNIQUE (stem_id, mashup_id, job_id)
);

CREATE TABLE IF NOT EXISTS public.ai_jobs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID REFERENCES public.profiles (id),
  job_type TEXT NOT NULL,
  status TEXT DEFAULT 'queued',
  progress INTEGER DEFAULT 0,
  input_data JSONB NOT NULL,
  output_data JSONB,
  error_message TEXT,
  created_at TIMESTAMPTZ DEFAULT now(),
  completed_at TIMESTAMPTZ
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'profiles', 'subscriptions', 'mashups', 'stems', 'mashup_stems', 'stem_mashup_links',
    'stem_usage_log', 'ai_jobs'
  ] LOOP
    IF NOT EXISTS (SELECT FROM existing_tables WHERE relname = name) THEN
      EXECUTE pg_catalog.format('COMMENT ON TABLE public.%I IS %L', name, 'made by mashup-worker');
    END IF;
  END LOOP;
END $$;
