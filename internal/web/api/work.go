package api

import (
	"context"
	"net/http"
	"time"

	"vigil/internal/access"
	"vigil/internal/incident"
)

// Task is one thing to do in an incident.
type Task struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Owner   string    `json:"owner,omitempty"`
	Due     time.Time `json:"due,omitzero"`
	Created time.Time `json:"created"`
	Author  string    `json:"author" doc:"Id of the person"`
	Done    time.Time `json:"done,omitzero"`
	DoneBy  string    `json:"done_by,omitempty"`
}

// Note is what a person wrote down in an incident.
type Note struct {
	ID     string    `json:"id"`
	Text   text      `json:"text"`
	Author string    `json:"author" doc:"Id of the person"`
	At     time.Time `json:"at"`
}

// Made names what an operation has made.
type Made struct {
	ID string `json:"id"`
}

type newTask struct {
	Named
	Body struct {
		Title string    `json:"title" minLength:"1" maxLength:"1000"`
		Owner string    `json:"owner,omitempty" maxLength:"200"`
		Due   time.Time `json:"due,omitzero"`
	}
}

type doneTask struct {
	Named
	Task string `path:"task" maxLength:"200"`
	Body struct {
		Done bool `json:"done"`
	}
}

type newNote struct {
	Named
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"65536"`
	}
}

func (a *api) incidentWork() {
	operate(a, op{method: "GET", path: "/incidents/{id}/tasks", id: "list-incident-tasks", summary: "The tasks of an incident: open ones first, by due time", action: access.IncidentRead},
		func(ctx context.Context, c *call, in *Named) (List[Task], error) { return a.tasks(ctx, c, in.ID) })
	operate(a, op{method: "POST", path: "/incidents/{id}/tasks", id: "add-incident-task", summary: "Note something to do", action: access.IncidentTask, status: http.StatusCreated},
		func(ctx context.Context, c *call, in *newTask) (Made, error) {
			id, err := a.Desk.AddTask(ctx, c.who, in.ID, in.Body.Title, in.Body.Owner, in.Body.Due)
			if err != nil {
				return Made{}, err
			}
			_, err = a.incident(ctx, c, in.ID) // the answer carries its marking
			return Made{id}, err
		})
	operate(a, op{method: "POST", path: "/incidents/{id}/tasks/{task}", id: "change-incident-task", summary: "Say that a task is done, or that it is not", action: access.IncidentTask},
		func(ctx context.Context, c *call, in *doneTask) (List[Task], error) {
			if err := a.Desk.SetTask(ctx, c.who, in.ID, in.Task, in.Body.Done); err != nil {
				return List[Task]{}, err
			}
			return a.tasks(ctx, c, in.ID)
		})
	operate(a, op{method: "GET", path: "/incidents/{id}/notes", id: "list-incident-notes", summary: "The notes of an incident, oldest first", action: access.IncidentRead},
		func(ctx context.Context, c *call, in *Named) (List[Note], error) {
			out := List[Note]{Items: []Note{}}
			if _, err := a.incident(ctx, c, in.ID); err != nil {
				return out, err
			}
			rels, err := incident.Notes(ctx, c.view, in.ID)
			if err != nil {
				return out, err
			}
			for _, rel := range rels {
				n := open(c, rel)
				out.Items = append(out.Items, Note{n.ID, foreign(n.Text), n.Author, n.At})
			}
			return out, nil
		})
	operate(a, op{method: "POST", path: "/incidents/{id}/notes", id: "add-incident-note", summary: "Write down what was found", action: access.IncidentTask, status: http.StatusCreated},
		func(ctx context.Context, c *call, in *newNote) (Made, error) {
			id, err := a.Desk.AddNote(ctx, c.who, in.ID, in.Body.Text, nil)
			if err != nil {
				return Made{}, err
			}
			_, err = a.incident(ctx, c, in.ID)
			return Made{id}, err
		})
}

func (a *api) tasks(ctx context.Context, c *call, id string) (List[Task], error) {
	out := List[Task]{Items: []Task{}}
	if _, err := a.incident(ctx, c, id); err != nil {
		return out, err
	}
	rels, err := incident.Tasks(ctx, c.view, id)
	if err != nil {
		return out, err
	}
	for _, rel := range rels {
		t := open(c, rel)
		out.Items = append(out.Items, Task{t.ID, t.Title, t.Owner, t.Due, t.Created, t.Author, t.Done, t.DoneBy})
	}
	return out, nil
}
