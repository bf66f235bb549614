module github.com/leader-elector/leader-elector

go 1.26
