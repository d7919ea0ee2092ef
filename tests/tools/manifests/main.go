// Manifests reads what deploy/ would hand to Kubernetes or to docker compose, with the types of the real programs and
// without forgiving an unknown field, and prints it as JSON for the tests to look at.
//
//	manifests kubernetes FILE
//	manifests compose FILE ENV_FILE
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	var found any
	var err error
	switch {
	case len(arguments) == 2 && arguments[0] == "kubernetes":
		found, err = readKubernetes(arguments[1])
	case len(arguments) == 3 && arguments[0] == "compose":
		found, err = readCompose(arguments[1], arguments[2])
	default:
		err = fmt.Errorf("usage: manifests kubernetes FILE, or manifests compose FILE ENV_FILE")
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
