package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// coloured says whether this is a terminal whose owner has nothing against it.
var coloured = func() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}()

func paint(code, text string) string {
	if !coloured {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func bold(text string) string { return paint("1", text) }

func heading(text string) { fmt.Println("\n" + paint("1;36", text)) }

func say(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

func mark(leads bool) string {
	if leads {
		return "   " + paint("32", "← leads")
	}
	return ""
}

// verdict is what the first answer of a woken leader is worth.
func verdict(answer, name string) string {
	if strings.Contains(answer, `"`+name+`"`) {
		return paint("31", "WRONG: it does not lead any more")
	}
	return paint("32", "right: not itself")
}

// took is a time as a person reads it.
func took(begun time.Time) string {
	d := time.Since(begun)
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
