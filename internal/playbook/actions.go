package playbook

import "slices"

// open gives a command whose event the task waits for.
func (x *exec) open(t *task, r role, c Command) {
	s := x.s
	s.open = append(s.open, &action{id: actionID(c), task: t, role: r, since: s.at, command: c})
	x.cmds = append(x.cmds, c)
}

func actionID(c Command) string {
	switch c := c.(type) {
	case Call:
		return c.Action
	case Ask:
		return c.Action
	case Wait:
		return c.Action
	case Await:
		return c.Action
	case Play:
		return c.Action
	}
	panic("internal error: not an action")
}

// wait opens an action of a body and lets the task wait for it.
func (x *exec) wait(t *task, c Command) outcome {
	x.s.actions++
	if most := maxActions + x.spare(); x.s.actions > most {
		return fail(limit("the run has more than %d actions", most))
	}
	x.open(t, roleBody, c)
	x.parked(t)
	return outcome{progress: waiting}
}

// stopTimer withdraws the watch over an attempt that has ended.
func (x *exec) stopTimer(t *task) {
	if !t.timer {
		return
	}
	t.timer = false
	for i, a := range x.s.open {
		if a.task == t && a.role == roleTimeout {
			x.s.open = slices.Delete(x.s.open, i, i+1)
			x.cmds = append(x.cmds, Withdraw{Action: a.id})
			return
		}
	}
}

// withdraw takes back all that is open in a task, or in the whole run.
func (x *exec) withdraw(in *task) {
	keep := x.s.open[:0]
	for _, a := range x.s.open {
		if in != nil && !a.task.within(in) {
			keep = append(keep, a)
			continue
		}
		x.cmds = append(x.cmds, Withdraw{Action: a.id})
		for t := a.task; t != nil && t != in; t = t.block.owner {
			t.timer = false
			x.ran(t, TraceWithdrawn, nil, nil)
		}
	}
	clear(x.s.open[len(keep):])
	x.s.open = keep
	if in != nil {
		in.timer = false
	}
}

func (t *task) within(in *task) bool {
	for ; t != nil; t = t.block.owner {
		if t == in {
			return true
		}
	}
	return false
}
