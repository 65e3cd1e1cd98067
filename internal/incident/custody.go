package incident

import (
	"context"
	"fmt"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// A transfer takes two hands. The holder offers; until the other answers, the holder still has it. The other accepts, and
// has it from that moment, or refuses with a reason, and nothing has changed hands. Each is an act of the person who does it.

// Offer is the giver's half of a transfer. Where the taker may not read the item yet, offering it releases it to them by
// name, as far as level and compartments allow; that is on the record with the offer.
func (d *Desk) Offer(ctx context.Context, who access.Principal, id, to string, h Handling) error {
	if err := h.check(); err != nil {
		return err
	}
	to, err := line("who it is offered to", to, maxWord, false)
	if err != nil {
		return err
	}
	if to == who.Person {
		return fmt.Errorf("%w: nobody hands over to themselves", ErrCustody)
	}
	taker, err := d.cfg.ReaderOf(ctx, to)
	if err != nil {
		return fmt.Errorf("offering to %s: %w", to, err)
	}
	_, act, err := d.custodyAct(ctx, who, access.EvidenceTransfer, id, h.Purpose)
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		e, mid, err := loadEvidence(tx, id)
		switch {
		case err != nil:
			return err
		case e.Holder != who.Person:
			return fmt.Errorf("%w: only who holds it can offer it", ErrCustody)
		case e.OfferedTo != "":
			return fmt.Errorf("%w: it is offered already; withdraw that first", ErrCustody)
		}
		if !marking.MayRead(taker, e.Label) {
			label, audience, err := release(tx, id, to)
			if err != nil {
				return err
			}
			if !marking.MayRead(taker, label) {
				return fmt.Errorf("%w: it can't go to them: %s", ErrCustody, marking.WhyNot(taker, label))
			}
			if mid, err = tx.Mark(label); err != nil {
				return err
			}
			tx.Note("released.to", to)
			if _, err := tx.Exec(`UPDATE evidence SET audience=?, mid=? WHERE id=?`, audience, mid, id); err != nil {
				return err
			}
			if _, err := tx.Exec(`UPDATE custody SET mid=? WHERE evidence=?`, mid, id); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`UPDATE evidence SET offered_to=? WHERE id=?`, to, id); err != nil {
			return err
		}
		return enterCustody(tx, Entry{Evidence: id, What: Offered, Giver: who.Person, Taker: to}, h, mid)
	})
	return err
}

// Accept is the taker's half: from now on they hold it. h says where, and in what state its seal was found.
func (d *Desk) Accept(ctx context.Context, who access.Principal, id string, h Handling) error {
	if h.Purpose == "" {
		h.Purpose = "take it over"
	}
	return d.answer(ctx, who, id, HandedOver, h, func(tx *store.Tx, e Evidence) error {
		if e.OfferedTo != who.Person {
			return fmt.Errorf("%w: it is not offered to you", ErrCustody)
		}
		place := h.Place
		if place == "" {
			place = e.Place
		}
		_, err := tx.Exec(`UPDATE evidence SET holder=?, place=?, offered_to='' WHERE id=?`, who.Person, place, id)
		return err
	})
}

// Refuse is the taker's other answer; the giver still holds it.
func (d *Desk) Refuse(ctx context.Context, who access.Principal, id, reason string) error {
	return d.answer(ctx, who, id, Declined, Handling{Purpose: reason}, func(tx *store.Tx, e Evidence) error {
		if e.OfferedTo != who.Person {
			return fmt.Errorf("%w: it is not offered to you", ErrCustody)
		}
		_, err := tx.Exec(`UPDATE evidence SET offered_to='' WHERE id=?`, id)
		return err
	})
}

// Withdraw takes an offer back that was not answered.
func (d *Desk) Withdraw(ctx context.Context, who access.Principal, id, reason string) error {
	return d.answer(ctx, who, id, Withdrawn, Handling{Purpose: reason}, func(tx *store.Tx, e Evidence) error {
		if e.Holder != who.Person || e.OfferedTo == "" {
			return fmt.Errorf("%w: you have no offer of it to take back", ErrCustody)
		}
		_, err := tx.Exec(`UPDATE evidence SET offered_to='' WHERE id=?`, id)
		return err
	})
}

// Handle notes what the holder did with the item: Sealed, Moved or Examined.
func (d *Desk) Handle(ctx context.Context, who access.Principal, id string, what CustodyAct, h Handling) error {
	switch {
	case what == Sealed && h.Seal == "":
		return fmt.Errorf("%w: the seal is missing", ErrInput)
	case what == Moved && h.Place == "":
		return fmt.Errorf("%w: the place is missing", ErrInput)
	case what != Sealed && what != Moved && what != Examined:
		return fmt.Errorf("%w: an item is sealed, moved or examined, not %.40q", ErrInput, string(what))
	}
	return d.answer(ctx, who, id, what, h, func(tx *store.Tx, e Evidence) error {
		if e.Holder != who.Person {
			return fmt.Errorf("%w: only who holds it can say what was done with it", ErrCustody)
		}
		if what != Moved {
			return nil
		}
		_, err := tx.Exec(`UPDATE evidence SET place=? WHERE id=?`, h.Place, id)
		return err
	})
}

func (d *Desk) answer(ctx context.Context, who access.Principal, id string, what CustodyAct, h Handling, f func(*store.Tx, Evidence) error) error {
	if err := h.check(); err != nil {
		return err
	}
	_, act, err := d.custodyAct(ctx, who, access.EvidenceTransfer, id, h.Purpose)
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		e, mid, err := loadEvidence(tx, id)
		if err != nil {
			return err
		}
		if err := f(tx, e); err != nil {
			return err
		}
		giver, taker := who.Person, ""
		if what == HandedOver || what == Declined {
			giver, taker = e.Holder, who.Person
		}
		return enterCustody(tx, Entry{Evidence: id, What: what, Giver: giver, Taker: taker}, h, mid)
	})
	return err
}
