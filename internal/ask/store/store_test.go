package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"beffroi.dev/internal/ask"
	"beffroi.dev/internal/ask/store"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// everybody may answer.
type everybody struct{}

func (everybody) Person(id string) (ask.Person, bool) {
	return ask.Person{ID: id, Name: id, Active: true}, true
}
func (everybody) InTeam(string, string) bool            { return true }
func (everybody) Reach(to string, _ time.Time) []string { return []string{to} }

type committer struct{ log *ledger.Log }

func (c committer) Commit(ctx context.Context, b sequencer.Block) error {
	return c.log.Append(ctx, b.Lines)
}

// TestOneAnswerCounts has fifty people answer at once: one is first, and the
// others are told who.
func TestOneAnswerCounts(t *testing.T) {
	log, err := ledger.Open(ledger.Config{Dir: filepath.Join(t.TempDir(), "ledger")})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	v, err := view.Open(t.Context(), view.Config{Dir: filepath.Join(t.TempDir(), "view"), Stores: []view.Store{store.View()}, Source: log, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	seq, err := sequencer.New(sequencer.Config{View: v, Committer: committer{log}, Now: time.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- seq.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-done, v.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	}()
	question := ask.Question{Channel: "#soc", Title: "Contain?", Answers: []ask.Answer{{ID: "yes", Label: "Yes"}, {ID: "no", Label: "No"}}}
	if _, err := seq.Do(ctx, func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: ask.KindAsked, Subject: store.Subject(tx.Next()), Actor: "test", Data: ask.Asked{Question: question}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	q := store.Questions{Sequencer: seq, Directory: func() store.Directory { return everybody{} }}
	results := make([]error, 50)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			_, results[i] = q.Answer(ctx, 0, ask.Attempt{Person: fmt.Sprint("person/p", i), Via: "api", Answer: "yes"})
		})
	}
	wg.Wait()
	winner := ""
	for i, err := range results {
		if err == nil && winner != "" {
			t.Errorf("p%d won too", i)
		}
		if err == nil {
			winner = fmt.Sprint("p", i)
		}
	}
	if winner == "" {
		t.Fatal("nobody won: ", results[0])
	}
	for i, err := range results {
		if err != nil && !strings.Contains(err.Error(), winner) {
			t.Errorf("p%d is not told of %s: %v", i, winner, err)
		}
	}
	if got := log.Size(); got != 51 {
		t.Errorf("%d records: each attempt is one", got)
	}
}
