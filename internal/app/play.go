package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/exercise"
	"vigil/internal/ingest"
	"vigil/internal/intel"
	"vigil/internal/marking"
	"vigil/internal/web/ui"
	"vigil/sigma"
)

// storyBefore is how long before start-up the exercise's story begins: the strategy has been in force for nineteen months.
const storyBefore = 580 * 24 * time.Hour

// Played is what the exercise has made.
type Played struct {
	Start   time.Time
	People  []PlayedPerson
	tokens  map[string]string // of log sources, by the exercise's id
	sources map[string]string
}

// PlayedPerson is somebody to pick at the door.
type PlayedPerson struct{ ID, Login, Name, Role, Body string }

// Play loads the exercise's world and plays its events, through the same calls as anybody: the administrator of the
// set-up link enters bodies and people, an analyst imports intelligence and rules, and the sensors deliver to the door
// for events. Times lie before start-up; the domain's clock runs through them and then is the machine's.
func (a *App) Play(ctx context.Context, seed uint64, say func(string)) (*Played, error) {
	start := time.Now().UTC().Truncate(time.Minute)
	p := &Played{Start: start, tokens: map[string]string{}, sources: map[string]string{}}
	w := exercise.TheWorld()
	a.Clock.Set(start.Add(-storyBefore))
	people, err := a.playWorld(ctx, w, p)
	if err != nil {
		return nil, fmt.Errorf("the world: %w", err)
	}
	say(fmt.Sprintf("%d bodies and %d people are entered", len(w.Bodies), len(w.People)))
	if err := a.playSources(ctx, w, people, p); err != nil {
		return nil, fmt.Errorf("the register of sources: %w", err)
	}
	a.Clock.Set(start.Add(-10 * 24 * time.Hour))
	n, err := a.playIntelligence(ctx, start, people)
	if err != nil {
		return nil, fmt.Errorf("intelligence: %w", err)
	}
	say(fmt.Sprintf("%d objects of intelligence from five sources are imported", n))
	rules, err := a.playRules(ctx, people)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	say(fmt.Sprintf("%d rules and a warninglist are in force", rules))
	if n, err = a.playEvents(ctx, seed, p, say); err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	a.Clock.Real()
	say(fmt.Sprintf("%d events were delivered, kept and matched", n))
	return p, nil
}

// cast finds the exercise's people by log-in.
type cast map[string]access.Principal

func (a *App) playWorld(ctx context.Context, w exercise.World, p *Played) (cast, error) {
	people := cast{}
	groups := map[string][]string{}
	for _, g := range w.Groups {
		for _, m := range g.Members {
			groups[m] = append(groups[m], g.ID)
		}
	}
	var house exercise.Body
	for _, b := range w.Bodies {
		if b.Own {
			house = b
		}
	}
	var first exercise.Person
	for _, x := range w.People {
		if x.Role == exercise.Administrator {
			first = x
		}
	}
	token, err := a.Directory.SetupLink(ctx)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, errors.New("the data directory holds an exercise already: leave --data out for a new one")
	}
	adminID, err := a.Directory.CompleteSetup(ctx, token, access.Body{Name: house.Name, Kind: string(house.Kind), Domain: house.Domain, Groups: groups[house.ID]},
		access.Person{Login: first.Login, Name: first.Name, Title: first.Title, Compartments: first.Compartments}, token[:24])
	if err != nil {
		return nil, err
	}
	admin, err := a.Directory.DemoLogin(ctx, adminID)
	if err != nil {
		return nil, err
	}
	names := map[string]string{house.ID: house.Name}
	for _, b := range w.Bodies {
		names[b.ID] = b.Name
		if b.Own {
			continue
		}
		_, err := a.Directory.AddBody(ctx, admin, access.Body{ID: exercise.IdentityID(b.ID), Name: b.Name, Kind: string(b.Kind), Constituent: b.Constituent, Agreement: b.Agreement,
			Ceiling: b.Ceiling, Default: b.DefaultTLP, Domain: b.Domain, Groups: groups[b.ID]})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	for _, x := range w.People {
		id := adminID
		if x.Login != first.Login {
			id, err = a.Directory.AddPerson(ctx, admin, access.Person{Login: x.Login, Name: x.Name, Title: x.Title, Body: exercise.IdentityID(x.Body), Role: access.Role(x.Role), Compartments: x.Compartments})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.Name, err)
			}
		}
		who, err := a.Directory.DemoLogin(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.Name, err)
		}
		people[x.Login] = who
		if x.Shown {
			p.People = append(p.People, PlayedPerson{ID: id, Login: x.Login, Name: x.Name, Role: access.Role(x.Role).String(), Body: names[x.Body]})
			a.Web.DemoPeople = append(a.Web.DemoPeople, ui.DemoPerson{ID: id, Name: x.Name, Role: access.Role(x.Role).String(), Body: names[x.Body], For: whatFor[x.Role]})
		}
	}
	return people, nil
}

// whatFor says at the door what there is to see as whom.
var whatFor = map[exercise.Role]string{
	exercise.WatchOfficer: "tonight's incident, from the first finding on", exercise.Analyst: "the knowledge base and who says what", exercise.DecisionMaker: "the situation, and the record behind it",
	exercise.LegalAdviser: "the register of sources and its bases", exercise.DiplomaticLiaison: "what may be told abroad", exercise.PoliceLiaison: "evidence and its custody",
	exercise.PartnerOfficer: "what a partner sees, and what not", exercise.Constituent: "the harbour's own view", exercise.Overseer: "the record, its receipts, the refusals",
	exercise.ProgrammeManager: "what will be measured", exercise.Administrator: "people, bodies, sources",
}

func (a *App) playSources(ctx context.Context, w exercise.World, people cast, p *Played) error {
	admin := people.of(exercise.Administrator, w)
	for _, s := range w.Sources {
		a.Clock.Set(p.Start.Add(-s.Registered))
		id, token, err := a.Register.Add(ctx, admin, ingest.Source{Name: s.Name, Owner: exercise.IdentityID(s.Owner), Basis: s.Basis, Purpose: s.Purpose, Fields: s.Fields,
			Retention: s.Retention, Expires: p.Start.Add(s.Expires), Logsource: sigma.Logsource{Product: s.Product, Service: s.Service, Category: s.Category}, TLP: marking.Amber})
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		p.tokens[s.ID], p.sources[s.ID] = token, id
	}
	return nil
}

// of gives the first person of a role.
func (c cast) of(r exercise.Role, w exercise.World) access.Principal {
	for _, x := range w.People {
		if x.Role == r {
			return c[x.Login]
		}
	}
	return access.Principal{}
}

func (a *App) playIntelligence(ctx context.Context, start time.Time, people cast) (int, error) {
	w := exercise.TheWorld()
	analyst := people.of(exercise.Analyst, w)
	defaults := map[string]*marking.TLP{}
	for _, b := range w.Bodies {
		defaults[b.ID] = b.DefaultTLP
	}
	n := 0
	for _, b := range exercise.Intelligence(start) {
		opt := intel.Options{Source: exercise.IdentityID(b.Source)}
		if b.Source == w.House {
			opt.Source = marking.Own
		}
		if d := defaults[b.Source]; d != nil {
			opt.DefaultTLP, opt.HasDefault = *d, true
		}
		sum, err := a.Intel.Import(ctx, analyst, bytes.NewReader(b.Bytes), opt)
		if err != nil {
			return n, fmt.Errorf("%s: %w", b.Name, err)
		}
		n += sum.Objects
	}
	return n, nil
}

func (a *App) playRules(ctx context.Context, people cast) (int, error) {
	w := exercise.TheWorld()
	analyst, watch := people.of(exercise.Analyst, w), people.of(exercise.WatchOfficer, w)
	rules := exercise.Rules()
	for _, r := range rules {
		vs, err := a.Detector.AddRules(ctx, analyst, r.File, r.YAML, marking.Green)
		if err != nil {
			return 0, err
		}
		for _, v := range vs {
			if v.ID == "" {
				return 0, fmt.Errorf("%s: %s", v.File, v.Reason)
			}
		}
	}
	b := exercise.Warninglist()
	return len(rules), a.Detector.SetWarninglist(ctx, watch, detect.Warninglist{Name: b.Name, Kind: "domain", Values: b.List})
}

// playEvents delivers the stream hour by hour, and lets the stages catch up before the clock moves on: what they find
// is entered at the time at which it could be found.
func (a *App) playEvents(ctx context.Context, seed uint64, p *Played, say func(string)) (int, error) {
	total := 0
	batches := map[string]*bytes.Buffer{}
	var hour time.Time
	flush := func(at time.Time) error {
		for src, b := range batches {
			if b.Len() == 0 {
				continue
			}
			n, err := a.deliver(ctx, p.tokens[src], fmt.Sprintf("exercise-%d-%s-%d", seed, src, at.Unix()), b.Bytes())
			if err != nil {
				return fmt.Errorf("%s: %w", src, err)
			}
			total += n
			b.Reset()
		}
		a.Clock.Set(at)
		return a.caughtUp(ctx, uint64(total))
	}
	if lapsed := exercise.LapsedEvents(p.Start); len(lapsed) > 0 {
		if _, err := a.deliver(ctx, p.tokens[lapsed[0].Source], "", append(lapsed[0].Line, '\n')); err == nil {
			return 0, errors.New("a lapsed source was accepted")
		}
	}
	for e := range exercise.Events(seed, p.Start) {
		if h := e.At.Truncate(time.Hour); !h.Equal(hour) {
			if !hour.IsZero() {
				if err := flush(h); err != nil {
					return total, err
				}
				if h.Hour()%12 == 0 {
					say(fmt.Sprintf("%6d events, up to %s", total, h.Format("2 January 15:04Z")))
				}
			}
			hour = h
		}
		b := batches[e.Source]
		if b == nil {
			b = &bytes.Buffer{}
			batches[e.Source] = b
		}
		b.Write(e.Line)
		b.WriteByte('\n')
	}
	return total, flush(p.Start)
}

// caughtUp waits until n events have been matched and incidents follow.
func (a *App) caughtUp(ctx context.Context, n uint64) error {
	for a.Detector.Matched() < n {
		changed := a.Store.Changed()
		if a.Detector.Matched() >= n {
			break
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // a batch without findings may have been counted just before
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		more, err := a.Desk.Step(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// deliver sends lines to this server's own door for events, as a sensor does.
func (a *App) deliver(ctx context.Context, token, batch string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Origin+"/api/v1/events", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	if batch != "" {
		req.Header.Set("Vigil-Batch", batch)
	}
	res, err := a.sensor.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var v ingest.Verdict
	if err := decode(res.Body, &v); err != nil {
		return 0, fmt.Errorf("the door answered %s: %w", res.Status, err)
	}
	if res.StatusCode != http.StatusOK || v.Refused > 0 {
		return v.Accepted, fmt.Errorf("the door answered %s: %s %v", res.Status, v.Error, v.Problems)
	}
	return v.Accepted, nil
}

// Live goes on delivering ordinary events as time passes, so that sources stay live and clocks run over a living house.
func (a *App) Live(ctx context.Context, seed uint64, p *Played) {
	batches := map[string][]byte{}
	next := time.Now().Add(15 * time.Second)
	for e := range exercise.After(seed, p.Start) {
		if wait := time.Until(e.At); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		batches[e.Source] = append(append(batches[e.Source], e.Line...), '\n')
		if time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(15 * time.Second)
		for src, b := range batches {
			if _, err := a.deliver(ctx, p.tokens[src], "", b); err != nil && ctx.Err() == nil {
				logged("the exercise's "+src, err)
			}
			delete(batches, src)
		}
	}
}
