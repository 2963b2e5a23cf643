// A service on stock OpenTelemetry: otelhttp at both ends. GET /chain/a/b answers who it is, then asks a for /chain/b.
//
// With -header it also carries the tag as a plain header, by the propagator of docs/other-languages.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

type hop struct {
	Service string  `json:"service"`
	Env     string  `json:"env"`
	Saw     *string `json:"saw"`
}

type answer struct {
	Chain []hop `json:"chain"`
}

type service struct {
	name, version string
	peers         map[string]string
	client        http.Client
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	here := hop{Service: s.name, Env: s.version}
	if member := baggage.FromContext(r.Context()).Member("env"); member.Key() != "" {
		value := member.Value()
		here.Saw = &value
	}
	said := answer{Chain: []hop{here}}
	next, rest, _ := strings.Cut(strings.Trim(strings.TrimPrefix(r.URL.Path, "/chain"), "/"), "/")
	if next != "" {
		behind, err := s.ask(r, s.peers[next]+"/chain/"+rest)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		said.Chain = append(said.Chain, behind.Chain...)
	}
	w.Header().Set("content-type", "application/json")
	json.NewEncoder(w).Encode(said)
}

func (s *service) ask(r *http.Request, url string) (found answer, err error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
	if err != nil {
		return found, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return found, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return found, fmt.Errorf("%s answered %d", url, response.StatusCode)
	}
	return found, json.NewDecoder(response.Body).Decode(&found)
}

func main() {
	name := flag.String("name", "go", "what it calls itself")
	version := flag.String("version", "prod", "its version")
	port := flag.Int("port", 0, "where it listens")
	peers := flag.String("peers", "", "NAME=URL, separated by commas")
	header := flag.String("header", "", "a tag's header to carry beside baggage")
	flag.Parse()

	propagators := []propagation.TextMapPropagator{propagation.TraceContext{}, propagation.Baggage{}}
	if *header != "" {
		propagators = append(propagators, TagHeader(*header))
	}
	otel.SetTracerProvider(trace.NewTracerProvider())
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagators...))

	here := &service{name: *name, version: *version, peers: map[string]string{}}
	here.client.Transport = otelhttp.NewTransport(http.DefaultTransport)
	for _, pair := range strings.Split(*peers, ",") {
		peer, url, _ := strings.Cut(pair, "=")
		here.peers[peer] = url
	}
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), otelhttp.NewHandler(here, "chain")))
}
