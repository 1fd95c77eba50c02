// Sends pictures and a sound to a gateway with OpenAI's Go client, and prints the answers as JSON.
// The arguments are the gateway's address, the model, and files with a PNG and a WAV.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	address, model := os.Args[1], os.Args[2]
	picture, sound := encoded(os.Args[3]), encoded(os.Args[4])
	answers := map[string]any{
		"chat":    withOpenAI(address, model, picture, sound, false),
		"stream":  withOpenAI(address, model, picture, sound, true),
		"chunked": withNetHTTP(address, model, picture),
		"refusal": refusal(address, model, picture),
	}
	must(json.NewEncoder(os.Stdout).Encode(answers))
}

func withOpenAI(address, model, picture, sound string, streams bool) string {
	client := openai.NewClient(option.WithBaseURL(address+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	parameters := openai.ChatCompletionNewParams{
		Model: model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart("Compare <these> & \"those\":"),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + picture}),
			openai.InputAudioContentPart(openai.ChatCompletionContentPartInputAudioInputAudioParam{Data: sound, Format: "wav"}),
		})},
	}
	if !streams {
		return must1(client.Chat.Completions.New(context.Background(), parameters)).Choices[0].Message.Content
	}
	stream := client.Chat.Completions.NewStreaming(context.Background(), parameters)
	text := ""
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			text += choice.Delta.Content
		}
	}
	must(stream.Err())
	return text
}

// withNetHTTP sends a body of unknown length, which net/http sends in chunks.
func withNetHTTP(address, model, picture string) string {
	body := must1(json.MarshalIndent(map[string]any{
		"model": model,
		"messages": []any{map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64," + picture}},
		}}},
	}, "\t", "  "))
	response := must1(http.Post(address+"/v1/chat/completions", "application/json", io.MultiReader(bytes.NewReader(body))))
	defer response.Body.Close()
	var answer openai.ChatCompletion
	must(json.NewDecoder(response.Body).Decode(&answer))
	return answer.Choices[0].Message.Content
}

// refusal sends what is no picture.
func refusal(address, model, picture string) map[string]any {
	client := openai.NewClient(option.WithBaseURL(address+"/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0))
	_, err := client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
		Model: model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + picture[8:]}),
		})},
	})
	refused, isRefused := err.(*openai.Error)
	if !isRefused {
		panic(fmt.Sprintf("not refused: %v", err))
	}
	return map[string]any{"status": refused.StatusCode, "code": refused.Code, "param": refused.Param}
}

func encoded(file string) string {
	return base64.StdEncoding.EncodeToString(must1(os.ReadFile(file)))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func must1[T any](value T, err error) T {
	must(err)
	return value
}
