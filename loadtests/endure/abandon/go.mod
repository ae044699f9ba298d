module abandon

go 1.24.0
