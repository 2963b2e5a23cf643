package main

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// TagHeader carries one member of baggage as a header of the same name, too. Put it after propagation.Baggage.
type TagHeader string

func (h TagHeader) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if value := baggage.FromContext(ctx).Member(string(h)).Value(); value != "" {
		carrier.Set(string(h), value)
	}
}

func (h TagHeader) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	member, err := baggage.NewMemberRaw(string(h), carrier.Get(string(h)))
	if err != nil || member.Value() == "" {
		return ctx
	}
	bag, err := baggage.FromContext(ctx).SetMember(member)
	if err != nil {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

func (h TagHeader) Fields() []string { return []string{string(h)} }
