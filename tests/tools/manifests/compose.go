package main

import (
	"context"

	"github.com/compose-spec/compose-go/v2/cli"
)

// readCompose loads a project as docker compose does: variables filled in, the schema checked, files found.
func readCompose(path, environment string) (any, error) {
	options, err := cli.NewProjectOptions(
		[]string{path},
		cli.WithEnvFiles(environment),
		cli.WithDotEnv,
		cli.WithName("berth"),
		cli.WithProfiles([]string{"*"}),
	)
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}
