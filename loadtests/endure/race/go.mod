module race

go 1.24.0
