package peer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.servlet.http.HttpServletRequest;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.client.RestTemplateBuilder;
import org.springframework.cloud.sleuth.BaggageInScope;
import org.springframework.cloud.sleuth.Tracer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/** A service on Spring Cloud Sleuth. GET /chain/a/b answers who it is, then asks a for /chain/b. */
@SpringBootApplication
@RestController
public class App {
    private final RestTemplate client;
    private final Tracer tracer;
    private final String name;
    private final String version;
    private final Map<String, String> peers = new HashMap<>();

    public App(
            RestTemplate client,
            Tracer tracer,
            @Value("${name}") String name,
            @Value("${version}") String version,
            @Value("${peers}") String peers) {
        this.client = client;
        this.tracer = tracer;
        this.name = name;
        this.version = version;
        for (String pair : peers.split(",")) {
            this.peers.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
        }
    }

    public static void main(String[] args) {
        SpringApplication.run(App.class, args);
    }

    @GetMapping("/chain/**")
    public Map<String, Object> chain(HttpServletRequest request) {
        List<Object> chain = new ArrayList<>(List.of(here()));
        List<String> rest = Arrays.stream(request.getRequestURI().split("/")).skip(2).filter(part -> !part.isEmpty()).toList();
        if (!rest.isEmpty()) {
            String path = "/chain/" + String.join("/", rest.subList(1, rest.size()));
            chain.addAll((List<?>) client.getForObject(peers.get(rest.get(0)) + path, Map.class).get("chain"));
        }
        return Map.of("chain", chain);
    }

    private Map<String, Object> here() {
        Map<String, Object> hop = new HashMap<>(Map.of("service", name, "env", version));
        BaggageInScope baggage = tracer.getBaggage("env");
        hop.put("saw", baggage == null ? null : baggage.get());
        return hop;
    }

    /** Apart from App, which asks for the client when it is made. */
    @Configuration
    static class Clients {
        @Bean
        RestTemplate client(RestTemplateBuilder builder) {
            return builder.build();
        }
    }
}
