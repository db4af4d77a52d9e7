file "${out}/${word}/" { notify = "all" }
block {
  assert "no" { that = [word != "v"] }
  rescue { file "${out}/${word}/rescue/" {} }
}
