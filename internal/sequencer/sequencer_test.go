package sequencer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"beffroi.dev/internal/errs"
	"beffroi.dev/internal/ledger"
	"beffroi.dev/internal/sequencer"
	"beffroi.dev/internal/view"
)

// A held is a command that somebody waits for.
type held struct {
	res sequencer.Result
	err error
}

// together has commands decided in one block: the first goes alone and is held
// up in its append, so that the others gather. The one before them is "first".
func together(t *testing.T, w *world, cmds ...sequencer.Command) []held {
	t.Helper()
	w.disk.gate = make(chan struct{})
	out := make([]held, len(cmds)+1)
	var wg sync.WaitGroup
	do := func(i int, cmd sequencer.Command) {
		wg.Go(func() { out[i].res, out[i].err = w.seq.Do(t.Context(), cmd) })
		synctest.Wait() // it is in its append, or in the queue
	}
	do(0, add("first"))
	for i, cmd := range cmds {
		do(i+1, cmd)
	}
	close(w.disk.gate)
	wg.Wait()
	return out[1:]
}

// outcomes is what became of commands, in a line each.
func outcomes(all []held) []string {
	out := []string{}
	for _, h := range all {
		if h.err != nil {
			first, _, _ := strings.Cut(h.err.Error(), "\n")
			out = append(out, "error: "+first)
			continue
		}
		out = append(out, strings.Join(shorts(h.res.Records), ", "))
	}
	return out
}

func want(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestCommandsSeeTheEffectOfThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).run()
		defer w.end()
		count := func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) {
			var seen []string
			if err := names(tx, &seen); err != nil {
				return nil, err
			}
			return []ledger.Draft{draft("item.added", fmt.Sprintf("after %d, at %d", len(seen), tx.Next()))}, nil
		}
		got := together(t, w, count, count, add("x", "y"), count)
		want(t, "outcomes", []string{"1 after 1, at 1", "2 after 2, at 2", "3 x, 4 y", "5 after 5, at 5"}, outcomes(got))
		want(t, "visible", w.records(), w.visible())
		if n := w.disk.count.Load(); n != 2 {
			t.Errorf("%d appends", n)
		}
	})
}

// Whoever comes while a block is made durable shares the next one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).run()
		defer w.end()
		var cmds []sequencer.Command
		for i := range 255 {
			cmds = append(cmds, add(fmt.Sprint(i)))
		}
		for i, h := range together(t, w, cmds...) {
			if h.err != nil || len(h.res.Records) != 1 || h.res.Records[0].Subject != fmt.Sprintf("item/%d", i) {
				t.Errorf("command %d: %v, %v", i, h.res, h.err)
			}
		}
		if n := w.disk.count.Load(); n != 2 {
			t.Errorf("256 commands took %d appends", n)
		}
	})
}

// A block that has become large takes no more commands; they make the next.
func TestBlocksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).run()
		defer w.end()
		var cmds []sequencer.Command
		for i := range 200 {
			cmds = append(cmds, adds("item.large", fmt.Sprintf("%03d%s", i, strings.Repeat("x", 30_000))))
		}
		got := together(t, w, cmds...)
		for i, h := range got {
			if h.err != nil || h.res.Records[0].Seq != uint64(i+1) {
				t.Fatalf("command %d: %v", i, h.err)
			}
		}
		if n := w.disk.count.Load(); n != 4 { // "first", twice 4 MiB, the rest
			t.Errorf("200 records of 60 kB took %d appends", n)
		}
	})
}

// What is refused, or cannot be applied, fails alone: the others of its block
// are there, in one append.
func TestOneFailsAlone(t *testing.T) {
	no := errs.E(errs.Conflict, "somebody was first")
	broken := func(*view.Tx, time.Time) ([]ledger.Draft, error) { panic("bad luck") }
	for _, tt := range []struct {
		name       string
		cmd        sequencer.Command
		err        string
		kind       errs.Kind
		rolledBack bool
	}{
		{"refused", func(*view.Tx, time.Time) ([]ledger.Draft, error) { return nil, no }, "error: somebody was first", errs.Conflict, false},
		{"panics", broken, "error: internal error: panic: bad luck", "", false},
		{"a query that is none", func(tx *view.Tx, _ time.Time) ([]ledger.Draft, error) { return nil, tx.Exec("SELEKT") }, `error: prepare "SELEKT": sqlite: prepare "SELEKT": 1:1: SQL logic error: near "SELEKT": syntax error`, "", false},
		{"cannot be applied", add("c", "d", "c"), `error: apply record 4 (item.added): run "INSERT INTO item (seq, name, data) VALUES (?, ?, ?)": sqlite: step: constraint failed: UNIQUE constraint failed: item.name`, "", true},
		{"panics when applied", adds("item.panics", "c"), "error: internal error: panic: worse luck", "", true},
		{"what it sets off is refused", adds("item.refused", "c"), "error: follow item.refused 2: somebody was first", errs.Conflict, true},
		{"too large", add("c", strings.Repeat("x", 65_500)), "error: encode item.added: 131118 bytes: a record has at most 65535 bytes (put the payload in the blob store)", errs.TooLarge, true},
		{"no object", data(7), "error: encode item.added: data of record: not a JSON object", "", true},
		{"no data", data(nil), "error: encode item.added: data of record: not a JSON object", "", true},
		{"data that does not encode", data(func() {}), "error: encode item.added: json: unsupported type: func()", "", true},
		{"not UTF-8", adds("item.added", "\xff"), `error: encode item.added: internal error: kind, subject or actor is not UTF-8: "item/\xff" "test"`, "", true},
		{"broken JSON", data(encoded(`{"name":`)), "error: encode item.added: data of record: unexpected end of JSON input", "", true},
		{"no kind", adds("", "c"), "error: encode : a record needs a kind", "", true},
		{"causes itself for ever", adds("item.loops", "c"), "error: internal error: a command set off more than 20000 records, or a chain of more than", "", true},
		{"causes too many", adds("item.many", "c"), "error: internal error: a command set off more than 20000 records, or a chain of more than", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var committed []string
				rolledBack := 0
				w.config.Committed = []func([]ledger.Record){func(recs []ledger.Record) { committed = append(committed, shorts(recs)...) }}
				w.config.RolledBack = []func(){func() { rolledBack++ }}
				again := func(n int) sequencer.Follower {
					return func(_ *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
						out := make([]ledger.Draft, n)
						for i := range out {
							out[i] = draft(rec.Kind, "more")
						}
						return out, nil
					}
				}
				w.config.Followers = map[string][]sequencer.Follower{
					"item.refused": {func(*view.Tx, ledger.Record) ([]ledger.Draft, error) { return nil, no }},
					"item.panics":  {func(*view.Tx, ledger.Record) ([]ledger.Draft, error) { panic("worse luck") }},
					"item.loops":   {again(1)}, "item.many": {again(700)},
				}
				w.run()
				defer w.end()
				got := together(t, w, add("a"), tt.cmd, add("b"), tt.cmd)
				out := outcomes(got)
				if !strings.HasPrefix(out[1], tt.err) || errs.KindOf(got[1].err) != tt.kind {
					t.Errorf("kind %q, %s\nwant %q, %s", errs.KindOf(got[1].err), out[1], tt.kind, tt.err)
				}
				want(t, "the others", []string{"1 a", "2 b"}, []string{out[0], out[2]})
				if got[3].err == nil {
					t.Error("the second time it did not fail")
				}
				all := []string{"0 first", "1 a", "2 b"}
				want(t, "visible", all, w.visible())
				want(t, "in the ledger", all, w.records())
				want(t, "told", all, committed)
				if n := w.disk.count.Load(); n != 2 {
					t.Errorf("%d appends", n)
				}
				if n := map[bool]int{false: 0, true: 3}[tt.rolledBack]; rolledBack != n { // the block, then each
					t.Errorf("rolled back %d times, want %d", rolledBack, n)
				}
				if err := view.Check(t.Context(), view.Config{Dir: w.dir + "/view", Stores: []view.Store{items()}, Log: w.config.Log}, func() (view.Source, error) { return w.disk.log, nil }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func data(v any) sequencer.Command {
	return func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{{Kind: "item.added", Subject: "item", Actor: "test", Data: v}}, nil
	}
}

// encoded is data that was encoded beforehand.
type encoded string

func (e encoded) AppendJSON(dst []byte) ([]byte, error) { return append(dst, e...), nil }

// What stores and hooks see of a record is what a replay will see.
func TestRecordsAreThoseOfTheLedger(t *testing.T) {
	w := newWorld(t)
	var seen []ledger.Record
	w.config.Committed = []func([]ledger.Record){func(recs []ledger.Record) { seen = append(seen, recs...) }}
	w.run()
	defer w.end()
	w.set(start.In(time.FixedZone("CET", 3600)).Add(123456789))
	cmd := func(*view.Tx, time.Time) ([]ledger.Draft, error) {
		return []ledger.Draft{
			{Kind: "item.added", Subject: `item/","data":{`, Actor: "é\n\u2028", Data: encoded("{ \"name\" : \"spaced\\u00e9\" }")},
			{Kind: "item.added", Subject: "", Actor: "", Data: item{"<b>&"}},
			{Kind: "item.seen", Subject: "s", Actor: "a", Data: struct{}{}},
		}, nil
	}
	res := w.do(cmd)
	for i, rec := range res.Records {
		line, err := w.disk.log.Read(uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		read, err := ledger.ParseRecord(line)
		if err != nil {
			t.Fatal(err)
		}
		for who, rec := range map[string]ledger.Record{"answered": rec, "told": seen[i]} {
			got := ledger.Record{Seq: rec.Seq, Time: rec.Time, Kind: rec.Kind, Subject: rec.Subject, Actor: rec.Actor, Data: rec.Data}
			if diff := cmp.Diff(read, got); diff != "" {
				t.Errorf("record %d (-ledger +%s):\n%s", i, who, diff)
			}
		}
	}
	var stored string
	if err := w.view.Read(t.Context(), func(tx *view.Tx) error {
		_, err := tx.One(`SELECT data FROM item WHERE seq = 0`, func(r view.Row) error { stored = r.Text(0); return nil })
		return err
	}); err != nil || stored != `{"name":"spaced\u00e9"}` {
		t.Errorf("the store was given %s, %v", stored, err)
	}
}

// What a record sets off comes after its siblings, and the consequences of
// each before those of the next: a follower can count on the numbers of what
// it returns, and all is in one block.
func TestFollowersAreDecidedDepthFirst(t *testing.T) {
	w := newWorld(t)
	follow := func(tx *view.Tx, rec ledger.Record) ([]ledger.Draft, error) {
		name := short(rec)
		_, name, _ = strings.Cut(name, " ")
		base, _, _ := strings.Cut(name, " ")
		if len(base) >= 3 {
			return nil, nil
		}
		var out []ledger.Draft
		for i, c := range []string{"1", "2"} {
			out = append(out, draft("item.added", fmt.Sprintf("%s%s at %d", base, c, tx.Next()+uint64(i))))
		}
		return out, nil
	}
	w.config.Followers = map[string][]sequencer.Follower{"item.added": {follow}}
	w.run()
	defer w.end()
	res := w.do(add("a", "b"))
	all := []string{
		"0 a", "1 b",
		"2 a1 at 2", "3 a2 at 3",
		"4 a11 at 4", "5 a12 at 5", "6 a21 at 6", "7 a22 at 7",
		"8 b1 at 8", "9 b2 at 9",
		"10 b11 at 10", "11 b12 at 11", "12 b21 at 12", "13 b22 at 13",
	}
	want(t, "result", all, shorts(res.Records))
	want(t, "ledger", all, w.records())
	if n := w.disk.count.Load(); n != 1 {
		t.Errorf("%d appends", n)
	}
}

func TestCommittedIsToldInOrder(t *testing.T) {
	w := newWorld(t)
	var next uint64
	var told sync.Map
	w.config.Committed = []func([]ledger.Record){func(recs []ledger.Record) {
		for _, rec := range recs {
			if rec.Seq != next {
				t.Errorf("told of %d, expected %d", rec.Seq, next)
			}
			next++
			told.Store(rec.Seq, true)
		}
		if n := w.view.Applied(); n != next {
			t.Errorf("told of %d records, %d are visible", next, n)
		}
	}}
	w.run()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			res, err := w.seq.Do(t.Context(), add(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := told.Load(res.Records[0].Seq); !ok {
				t.Error("answered before the hooks were told")
			}
		})
	}
	wg.Wait()
	w.do(func(*view.Tx, time.Time) ([]ledger.Draft, error) { return nil, nil }) // tells nobody
	if err := w.close(); err != nil || next != 200 {
		t.Errorf("told of %d records, %v", next, err)
	}
}

func TestDoAll(t *testing.T) {
	w := newWorld(t).run()
	no, never := errors.New("no"), errors.New("never")
	refuse := func(err error) sequencer.Command {
		return func(*view.Tx, time.Time) ([]ledger.Draft, error) { return nil, err }
	}
	res, err := w.seq.DoAll(t.Context(), []sequencer.Command{add("a"), refuse(no), add("b", "c"), refuse(never)})
	if !errors.Is(err, no) || !errors.Is(err, never) {
		t.Errorf("error %v", err)
	}
	var got []string
	for _, r := range res {
		got = append(got, strings.Join(shorts(r.Records), ", "))
	}
	want(t, "results", []string{"0 a", "", "1 b, 2 c", ""}, got)
	if res, err := w.seq.DoAll(t.Context(), nil); len(res) != 0 || err != nil {
		t.Errorf("no commands: %v, %v", res, err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	res, err = w.seq.DoAll(t.Context(), []sequencer.Command{add("d"), add("e")})
	if !errors.Is(err, sequencer.ErrStopped) || len(res) != 2 {
		t.Errorf("stopped: %v, %v", res, err)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := sequencer.New(sequencer.Config{}); err == nil {
		t.Error("a sequencer without a view")
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	w := newWorld(t)
	at := func(seconds int) string { return start.Add(time.Duration(seconds) * time.Second).Format(time.TimeOnly) }
	w.run()
	var got []string
	i := 0
	step := func(seconds int) {
		w.set(start.Add(time.Duration(seconds) * time.Second))
		i++
		res := w.do(func(_ *view.Tx, now time.Time) ([]ledger.Draft, error) {
			return []ledger.Draft{draft("item.added", fmt.Sprintf("%d decided at %s", i, now.Format(time.TimeOnly)))}, nil
		})
		got = append(got, res.Records[0].Time.Format(time.TimeOnly)+" "+short(res.Records[0]))
	}
	for _, s := range []int{10, 20, 15, 12, 25, 5} {
		step(s)
	}
	if n := strings.Count(w.said.String(), "the clock is behind"); n != 2 {
		t.Errorf("said %d times that the clock is behind:\n%s", n, w.said.String())
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	w.run() // the clock is still behind what the ledger has
	defer w.end()
	step(7)
	step(30)
	want(t, "times", []string{
		at(10) + " 0 1 decided at " + at(10), at(20) + " 1 2 decided at " + at(20), at(20) + " 2 3 decided at " + at(20), at(20) + " 3 4 decided at " + at(20),
		at(25) + " 4 5 decided at " + at(25), at(25) + " 5 6 decided at " + at(25), at(25) + " 6 7 decided at " + at(25), at(30) + " 7 8 decided at " + at(30),
	}, got)
}

// Nobody waits any more: the command is not decided, and costs no append.
func TestCommandsOfThoseWhoWentAwayAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).run()
		defer w.end()
		w.disk.gate = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { w.do(add("first")) })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		wg.Go(func() {
			_, err = w.seq.Do(ctx, func(*view.Tx, time.Time) ([]ledger.Draft, error) {
				t.Error("decided")
				return nil, nil
			})
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, before the block is done", err)
		}
		close(w.disk.gate)
		wg.Wait()
		synctest.Wait()
		if n := w.disk.count.Load(); n != 1 {
			t.Errorf("%d appends", n)
		}
		if _, err := w.seq.Do(ctx, add("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// The end of ctx ends Run after the block under way; whoever waits is told.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.MaxBlock = 4
		w.run()
		w.disk.gate = make(chan struct{})
		errsOf := make([]error, 12) // one in its append, 4 in the queue, 7 before it
		var wg sync.WaitGroup
		for i := range errsOf {
			wg.Go(func() { _, errsOf[i] = w.seq.Do(t.Context(), add(fmt.Sprint(i))) })
			synctest.Wait()
		}
		w.stop()
		close(w.disk.gate)
		wg.Wait()
		if err := w.close(); err != nil {
			t.Errorf("run: %v", err)
		}
		for i, err := range errsOf {
			if i == 0 && err != nil || i > 0 && !errors.Is(err, sequencer.ErrStopped) {
				t.Errorf("command %d: %v", i, err)
			}
		}
		if _, err := w.seq.Do(t.Context(), add("late")); !errors.Is(err, sequencer.ErrStopped) || errs.KindOf(err) != errs.Unavailable {
			t.Errorf("late: %v", err)
		}
		if err := w.seq.Err(); err != nil {
			t.Errorf("it did not stop by itself: %v", err)
		}
	})
}
