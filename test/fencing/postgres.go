package fencing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	elector "github.com/leader-elector/leader-elector"
)

// Schema has one row for each thing that one leader at a time may change. A term
// is a resourceVersion, which etcd counts in 63 bits: a bigint holds it.
const Schema = `
CREATE TABLE IF NOT EXISTS leadership (
  election text PRIMARY KEY,
  term     bigint NOT NULL
)`

// snippet: postgres

// Fenced runs a transaction of the leader of a term. Its first statement locks
// the election's row: a newer leader's transaction waits for this one, or has
// been before it, and then nothing is updated and this leader's time is over. A
// leader that is frozen within its transaction would hold that lock, so the
// server ends a transaction in which nothing happens for a while.
func Fenced(ctx context.Context, db *pgx.Conn, election string, term elector.Term, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = '2s'`); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO leadership (election, term) VALUES ($1, $2)
			ON CONFLICT (election) DO UPDATE SET term = $2 WHERE leadership.term <= $2`,
			election, int64(term))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("%w: term %s of %s", ErrFenced, term, election)
		}
		return do(tx)
	})
}

// end of snippet
