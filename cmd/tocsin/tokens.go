// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/api"
	"tocsin/event"
)

func newTokensCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "tokens", Short: "Make, list and revoke API tokens of a running tocsin"}
	c.clientFlags(cmd.PersistentFlags())
	cmd.AddCommand(newTokensCreate(c), newTokensList(c), newTokensRevoke(c))
	return cmd
}

func newTokensCreate(c *cli) *cobra.Command {
	var roles, scope []string
	var expires string
	cmd := &cobra.Command{
		Use: "create NAME --role viewer", Short: "Make an API token and print it; it is shown this once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(roles) == 0 {
				return &usageError{fmt.Errorf("--role is missing: viewer, analyst, engineer, admin or ingest")}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			body := map[string]any{"name": args[0], "roles": roles, "expires": expires}
			if len(scope) > 0 {
				body["scope"] = scope
			}
			var t api.NewToken
			if err := cl.get(cmd.Context(), http.MethodPost, "tokens", body, &t); err != nil {
				return err
			}
			if c.flags.output == "json" {
				return c.printJSON(t)
			}
			// The secret alone is on stdout, so that it can go straight into a file.
			fmt.Fprintf(c.stderr, "token %s (%s), %s, expires %s; it is shown this once:\n", t.Name, t.ID, strings.Join(t.Roles, ", "), orNever(t.Expires))
			_, err = fmt.Fprintln(c.stdout, t.Token)
			return err
		},
	}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "viewer, analyst, engineer, admin or ingest (repeatable)")
	cmd.Flags().StringSliceVar(&scope, "scope", nil, "cluster/namespace, either may be * (repeatable; default everything that you see)")
	cmd.Flags().StringVar(&expires, "expires", "90d", "a span, RFC 3339, or never")
	return cmd
}

func newTokensList(c *cli) *cobra.Command {
	return listing[api.TokenView]{
		use: "list", short: "List API tokens, newest first", path: "tokens",
		filters: map[string]string{"cursor": cursorFlag},
		header:  "ID\tNAME\tROLES\tSCOPE\tCREATED BY\tEXPIRES\tLAST USED\tREVOKED",
		row: func(t api.TokenView) string {
			scope := "everything"
			if t.Scope != nil {
				scope = cmp.Or(strings.Join(t.Scope, ","), "nothing")
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", t.ID, t.Name, strings.Join(t.Roles, ","), printable(scope), printable(t.CreatedBy),
				orNever(t.Expires), orNever(t.LastUsed), orNever(t.Revoked))
		},
	}.command(c)
}

func newTokensRevoke(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API token", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			r, err := cl.do(cmd.Context(), http.MethodDelete, "tokens/"+url.PathEscape(args[0]))
			if err != nil {
				return err
			}
			_ = r.Close() // 204 has no body
			_, err = fmt.Fprintf(c.stdout, "%s is revoked\n", args[0])
			return err
		},
	}
}

// orNever prints a time.
func orNever(at event.Stamp) string {
	if at == 0 {
		return "never"
	}
	return time.Unix(0, int64(at)).UTC().Format(time.RFC3339)
}
