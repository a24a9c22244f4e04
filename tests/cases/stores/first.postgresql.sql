CREATE TABLE IF NOT EXISTS belief (
	case_id BIGINT NOT NULL, 
	kind TEXT COLLATE "C" NOT NULL, 
	step TEXT COLLATE "C" NOT NULL, 
	round BIGINT NOT NULL, 
	opened_at BIGINT NOT NULL, 
	closed_at BIGINT, 
	closed_as TEXT COLLATE "C", 
	PRIMARY KEY (case_id, kind, step, round)
);
CREATE TABLE IF NOT EXISTS block (
	first BIGINT NOT NULL, 
	count BIGINT NOT NULL, 
	content BYTEA NOT NULL, 
	PRIMARY KEY (first)
);
CREATE TABLE IF NOT EXISTS bulk (
	value BIGINT NOT NULL, 
	process INTEGER NOT NULL, 
	PRIMARY KEY (value, process)
);
CREATE TABLE IF NOT EXISTS cases (
	id BIGINT NOT NULL, 
	process INTEGER NOT NULL, 
	name TEXT COLLATE "C" NOT NULL, 
	facts BYTEA NOT NULL, 
	state TEXT COLLATE "C" NOT NULL, 
	step TEXT COLLATE "C", 
	waits_for TEXT COLLATE "C", 
	due BIGINT, 
	began BIGINT, 
	last BIGINT, 
	held INTEGER, 
	amount TEXT COLLATE "C", 
	currency TEXT COLLATE "C", 
	hours TEXT COLLATE "C", 
	synthetic INTEGER, 
	wake_at BIGINT, 
	marks INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE UNIQUE INDEX IF NOT EXISTS cases_by_name ON cases (process, name);
CREATE INDEX IF NOT EXISTS cases_by_state ON cases (process, state, name);
CREATE INDEX IF NOT EXISTS cases_by_wake ON cases (wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS counter (
	name TEXT COLLATE "C" NOT NULL, 
	label TEXT COLLATE "C" NOT NULL, 
	count BIGINT NOT NULL, 
	PRIMARY KEY (name, label)
);
CREATE TABLE IF NOT EXISTS deviation (
	case_id BIGINT NOT NULL, 
	kind TEXT COLLATE "C" NOT NULL, 
	step TEXT COLLATE "C" NOT NULL, 
	round BIGINT NOT NULL, 
	since BIGINT NOT NULL, 
	PRIMARY KEY (case_id, kind, step, round)
);
CREATE INDEX IF NOT EXISTS deviation_by_kind ON deviation (kind, case_id);
CREATE TABLE IF NOT EXISTS edge (
	process INTEGER NOT NULL, 
	kind INTEGER NOT NULL, 
	a BIGINT NOT NULL, 
	b BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	PRIMARY KEY (process, kind, a, b, seq)
);
CREATE INDEX IF NOT EXISTS edge_back ON edge (process, kind, b, a);
CREATE TABLE IF NOT EXISTS event_type (
	source TEXT COLLATE "C" NOT NULL, 
	type TEXT COLLATE "C" NOT NULL, 
	count BIGINT NOT NULL, 
	last BIGINT NOT NULL, 
	content BYTEA NOT NULL, 
	fields TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (source, type)
);
CREATE TABLE IF NOT EXISTS kept_span (
	trace_id BYTEA NOT NULL, 
	spans BYTEA NOT NULL, 
	PRIMARY KEY (trace_id)
);
CREATE TABLE IF NOT EXISTS meta (
	name TEXT COLLATE "C" NOT NULL, 
	value TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE IF NOT EXISTS near (
	value BIGINT NOT NULL, 
	process INTEGER NOT NULL, 
	role INTEGER NOT NULL, 
	case_id BIGINT NOT NULL, 
	since BIGINT, 
	PRIMARY KEY (value, process, role, case_id)
);
CREATE TABLE IF NOT EXISTS other_content (
	digest BYTEA NOT NULL, 
	content BYTEA NOT NULL, 
	received BIGINT NOT NULL, 
	event BYTEA NOT NULL, 
	PRIMARY KEY (digest, content)
);
CREATE TABLE IF NOT EXISTS position (
	name TEXT COLLATE "C" NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE IF NOT EXISTS posted (
	value BIGINT NOT NULL, 
	process INTEGER NOT NULL, 
	seq BIGINT NOT NULL, 
	fact BYTEA NOT NULL, 
	PRIMARY KEY (value, process, seq)
);
CREATE TABLE IF NOT EXISTS process_name (
	id INTEGER NOT NULL, 
	name TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE IF NOT EXISTS retired (
	seq BIGINT NOT NULL, 
	process TEXT COLLATE "C" NOT NULL, 
	at TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (seq, process, at)
);
CREATE TABLE IF NOT EXISTS seen (
	digest BYTEA NOT NULL, 
	seq BIGINT NOT NULL, 
	received BIGINT NOT NULL, 
	content BYTEA NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE IF NOT EXISTS sight (
	source TEXT COLLATE "C" NOT NULL, 
	at BIGINT NOT NULL, 
	case_id BIGINT NOT NULL, 
	PRIMARY KEY (source, at, case_id)
);
CREATE INDEX IF NOT EXISTS sight_of_case ON sight (case_id);
CREATE TABLE IF NOT EXISTS stale (
	case_id BIGINT NOT NULL, 
	PRIMARY KEY (case_id)
);
CREATE TABLE IF NOT EXISTS statement (
	number BIGINT NOT NULL, 
	content BYTEA NOT NULL, 
	PRIMARY KEY (number)
);
CREATE TABLE IF NOT EXISTS trace (
	trace_id BYTEA NOT NULL, 
	spans BYTEA NOT NULL, 
	PRIMARY KEY (trace_id)
);
CREATE TABLE IF NOT EXISTS value (
	id BIGINT NOT NULL, 
	text TEXT COLLATE "C" NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (text)
);
CREATE TABLE IF NOT EXISTS waiting (
	value BIGINT NOT NULL, 
	process INTEGER NOT NULL, 
	since BIGINT NOT NULL, 
	orphan INTEGER NOT NULL, 
	PRIMARY KEY (value, process)
);
CREATE INDEX IF NOT EXISTS waiting_by_age ON waiting (orphan, since);
CREATE TABLE IF NOT EXISTS watermark (
	source TEXT COLLATE "C" NOT NULL, 
	last_receipt BIGINT, 
	until BIGINT, 
	PRIMARY KEY (source)
);
