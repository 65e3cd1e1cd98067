package store

import (
	"context"
	"sync"
)

// lanes is the turn to write: one writer at a time, people before bulk work.
type lanes struct {
	mu     sync.Mutex
	busy   bool
	people []chan struct{}
	bulk   []chan struct{}
}

// enter waits for the turn; leave must follow. It gives up when ctx ends.
func (l *lanes) enter(ctx context.Context, bulk bool) error {
	l.mu.Lock()
	if !l.busy {
		l.busy = true
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if bulk {
		l.bulk = append(l.bulk, turn)
	} else {
		l.people = append(l.people, turn)
	}
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		l.mu.Lock()
		gone := drop(&l.people, turn) || drop(&l.bulk, turn)
		l.mu.Unlock()
		if !gone {
			l.leave() // the turn came at the same moment: pass it on
		}
		return ctx.Err()
	}
}

func drop(q *[]chan struct{}, turn chan struct{}) bool {
	for i, c := range *q {
		if c == turn {
			*q = append((*q)[:i], (*q)[i+1:]...)
			return true
		}
	}
	return false
}

func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range []*[]chan struct{}{&l.people, &l.bulk} {
		if len(*q) > 0 {
			turn := (*q)[0]
			*q = (*q)[1:]
			close(turn)
			return
		}
	}
	l.busy = false
}
