package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// outputFlag is -o.
type outputFlag struct {
	value   string
	allowed []string
}

// add binds -o to a command that can print in the given forms besides text.
func (o *outputFlag) add(cmd *cobra.Command, allowed ...string) {
	o.allowed = allowed
	cmd.Flags().StringVarP(&o.value, "output", "o", "", "`FORM` of the output: "+strings.Join(allowed, "|"))
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

func (o *outputFlag) check(cmd *cobra.Command) error {
	if o.value == "" || slices.Contains(o.allowed, o.value) {
		return nil
	}
	return usage(cmd, fmt.Errorf("--output=%s: there is %s", o.value, strings.Join(o.allowed, ", ")))
}

// text says whether people are to read it.
func (o *outputFlag) text() bool { return o.value == "" || o.value == "wide" }

// object prints one as JSON or YAML.
func (o *outputFlag) object(w io.Writer, value any) error {
	if o.value == "yaml" {
		data, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "    ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// table prints rows as kubectl does. One that lives on keeps its columns'
// widths, and prints its header once.
type table struct {
	columns []metav1.TableColumnDefinition
	drop    int // the first columns, which are left out
	printer printers.ResourcePrinter
	out     interface {
		io.Writer
		Flush() error
	}
}

func newTable(out io.Writer, o *outputFlag, columns []metav1.TableColumnDefinition, drop int, noHeaders bool) *table {
	return &table{
		columns: columns[drop:], drop: drop, out: printers.GetNewTabWriter(out),
		printer: printers.NewTablePrinter(printers.PrintOptions{Wide: o.value == "wide", NoHeaders: noHeaders}),
	}
}

func (t *table) print(rows ...[]any) error {
	all := &metav1.Table{ColumnDefinitions: t.columns, Rows: make([]metav1.TableRow, len(rows))}
	for i, cells := range rows {
		all.Rows[i].Cells = cells[t.drop:]
	}
	if err := t.printer.PrintObj(all, t.out); err != nil {
		return err
	}
	return t.out.Flush()
}
