package app

import (
	"sync"
	"time"
)

// Clock is the domain's clock. It runs with the machine's; an exercise sets it to its story's beginning and moves it
// forward, never back, until the story has caught up with the present.
type Clock struct {
	mu    sync.Mutex
	story bool
	at    time.Time
	since time.Time // when at was set, by the machine's clock
	last  time.Time
}

// Now is the domain's time. It never goes back.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.story {
		now = c.at.Add(now.Sub(c.since))
	}
	if now.Before(c.last) {
		return c.last
	}
	c.last = now
	return now
}

// Set puts the clock to a time of the story, from where it runs on at the pace of the machine's. A time before what the
// clock has shown already changes nothing.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.story = true
	if at.After(c.last) {
		c.at, c.since = at, time.Now()
	}
}

// Real ends the story: from now on the machine's clock holds.
func (c *Clock) Real() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.story = false
}
